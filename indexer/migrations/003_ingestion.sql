-- Where the rows of node, price and channel come from, all of it: event_log, and the hashes of the
-- blocks that follow registrations. With both, a changed table is filled again without the chain.
CREATE TABLE block_seed (
  number bigint PRIMARY KEY,
  hash bytea NOT NULL
);
INSERT INTO block_seed
SELECT DISTINCT registered_block + 1, seed_block_hash FROM node WHERE seed_block_hash IS NOT NULL;

-- The version of the rules that filled the tables; an indexer with other rules fills them again.
ALTER TABLE chain_state ADD COLUMN derivation integer NOT NULL DEFAULT 1;

-- How ingestion is doing, for processes that only answer.
CREATE TABLE ingest_status (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  head bigint,
  problem text,
  told_at timestamptz NOT NULL
);

-- Most logs are of channels, which have no number.
ALTER TABLE event_log DROP CONSTRAINT event_log_address_seq_key;
CREATE UNIQUE INDEX event_log_seq ON event_log (address, seq) WHERE seq IS NOT NULL;

-- Final rows are most rows: asking before the call saves the call.
DROP TRIGGER node_journal ON node;
DROP TRIGGER price_journal ON price;
DROP TRIGGER channel_journal ON channel;
CREATE TRIGGER node_journal AFTER INSERT OR UPDATE OR DELETE ON node
  FOR EACH ROW WHEN (current_setting('mainframe.block', true) <> '')
  EXECUTE FUNCTION journal('node_id');
CREATE TRIGGER price_journal AFTER INSERT OR UPDATE OR DELETE ON price
  FOR EACH ROW WHEN (current_setting('mainframe.block', true) <> '')
  EXECUTE FUNCTION journal('node_id', 'service', 'token');
CREATE TRIGGER channel_journal AFTER INSERT OR UPDATE OR DELETE ON channel
  FOR EACH ROW WHEN (current_setting('mainframe.block', true) <> '')
  EXECUTE FUNCTION journal('channel_id');

CREATE FUNCTION forget_after(target bigint) RETURNS void LANGUAGE sql AS $$
  SELECT retract_after(target);
  SELECT rollback_to(target);
  DELETE FROM block_seed WHERE number > target
$$;
