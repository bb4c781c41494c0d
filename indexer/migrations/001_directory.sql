-- Where the indexer stands. chain_state has one row: what was followed from where, and how far the
-- chain counts as final. The last row of chain_block is the cursor; blocks below the final one are
-- deleted, so the table holds exactly what a reorganisation may still touch.
CREATE TABLE chain_state (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  chain_id bigint NOT NULL,
  deployment jsonb NOT NULL,
  anchor_number bigint NOT NULL,
  anchor_hash bytea NOT NULL,
  finalized bigint NOT NULL
);

CREATE TABLE chain_block (
  number bigint PRIMARY KEY,
  hash bytea NOT NULL,
  time bigint NOT NULL,
  registry_seq bigint NOT NULL,
  registry_head bytea NOT NULL,
  board_seq bigint NOT NULL,
  board_head bytea NOT NULL
);

-- Every log that changed the directory, as the chain carries it; topics are concatenated words.
CREATE TABLE event_log (
  block_number bigint NOT NULL,
  log_index integer NOT NULL,
  block_hash bytea NOT NULL,
  transaction_hash bytea NOT NULL,
  address bytea NOT NULL,
  topics bytea NOT NULL,
  data bytea NOT NULL,
  seq bigint,
  head bytea,
  PRIMARY KEY (block_number, log_index),
  UNIQUE (address, seq)
);

CREATE TABLE node (
  node_id bytea PRIMARY KEY,
  operator bytea NOT NULL,
  node_key bytea NOT NULL,
  manager bytea NOT NULL,
  payee bytea NOT NULL,
  seal_key bytea NOT NULL,
  multiaddrs bytea NOT NULL,
  metadata bytea NOT NULL,
  signature bytea NOT NULL,
  stake numeric(78, 0) NOT NULL,
  active boolean NOT NULL,
  unlock_at bigint NOT NULL,
  registered_block bigint NOT NULL,
  updated_block bigint NOT NULL,
  -- what the indexer derives: the chain cannot check the signature, and the seed is a later block
  signed boolean NOT NULL,
  seed_block_hash bytea,
  overlay_address bytea
);
CREATE INDEX node_listed ON node (overlay_address) WHERE signed AND active;
CREATE INDEX node_unplaced ON node (registered_block) WHERE overlay_address IS NULL;
CREATE INDEX node_payee ON node (payee) WHERE signed AND active;

CREATE TABLE price (
  node_id bytea NOT NULL,
  service bytea NOT NULL,
  token bytea NOT NULL,
  price numeric(78, 0) NOT NULL,
  next numeric(78, 0) NOT NULL,
  next_from bigint NOT NULL,
  unit integer NOT NULL,
  active boolean NOT NULL,
  updated_block bigint NOT NULL,
  PRIMARY KEY (node_id, service, token)
);
CREATE INDEX price_offer ON price (service, token, node_id) WHERE active;

-- The same rule as currentPrice of the protocol, for filters; a test holds the two together.
CREATE FUNCTION current_price(
  active boolean, price numeric, next numeric, next_from bigint, now_seconds bigint
) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN active THEN nullif(CASE WHEN now_seconds >= next_from THEN next ELSE price END, 0) END
$$;

CREATE TABLE channel (
  channel_id bytea PRIMARY KEY,
  payer bytea NOT NULL,
  payee bytea NOT NULL,
  token bytea NOT NULL,
  signer bytea NOT NULL,
  notice_seconds bigint NOT NULL,
  epoch bigint NOT NULL,
  deposit numeric(78, 0) NOT NULL,
  claimed numeric(78, 0) NOT NULL,
  closes_at bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('open', 'closing', 'closed')),
  updated_block bigint NOT NULL
);
CREATE INDEX channel_payer ON channel (payer, channel_id);
CREATE INDEX channel_payee ON channel (payee, channel_id);
CREATE INDEX channel_open ON channel (payer) WHERE state = 'open';

-- The undo journal: what a row was before a block that is not final changed it. One trigger function
-- serves every table; its arguments are the columns of the primary key.
CREATE TABLE undo (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  block bigint NOT NULL,
  relation text NOT NULL,
  row_key jsonb NOT NULL,
  row_before jsonb
);
CREATE INDEX undo_block ON undo (block);

-- Writes while the setting mainframe.block is empty are final (or are the undoing) and leave no trace.
CREATE FUNCTION journal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  block text := current_setting('mainframe.block', true);
  touched jsonb;
BEGIN
  IF coalesce(block, '') = '' THEN
    RETURN NULL;
  END IF;
  touched := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
  INSERT INTO undo (block, relation, row_key, row_before)
  SELECT block::bigint, TG_TABLE_NAME, jsonb_object_agg(name, touched -> name),
    CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END
  FROM unnest(TG_ARGV) AS name;
  RETURN NULL;
END $$;

CREATE TRIGGER node_journal AFTER INSERT OR UPDATE OR DELETE ON node
  FOR EACH ROW EXECUTE FUNCTION journal('node_id');
CREATE TRIGGER price_journal AFTER INSERT OR UPDATE OR DELETE ON price
  FOR EACH ROW EXECUTE FUNCTION journal('node_id', 'service', 'token');
CREATE TRIGGER channel_journal AFTER INSERT OR UPDATE OR DELETE ON channel
  FOR EACH ROW EXECUTE FUNCTION journal('channel_id');

-- Brings every table back to where it stood after block `target`.
CREATE FUNCTION rollback_to(target bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  step record;
  same_key text;
BEGIN
  PERFORM set_config('mainframe.block', '', true);
  FOR step IN SELECT * FROM undo WHERE block > target ORDER BY id DESC LOOP
    SELECT string_agg(format('t.%1$I = k.%1$I', name), ' AND ') INTO same_key
    FROM jsonb_object_keys(step.row_key) AS name;
    EXECUTE format(
      'DELETE FROM %1$I t USING jsonb_populate_record(NULL::%1$I, $1) k WHERE %2$s',
      step.relation, same_key) USING step.row_key;
    IF step.row_before IS NOT NULL THEN
      EXECUTE format(
        'INSERT INTO %1$I SELECT * FROM jsonb_populate_record(NULL::%1$I, $1)',
        step.relation) USING step.row_before;
    END IF;
  END LOOP;
  DELETE FROM undo WHERE block > target;
  DELETE FROM event_log WHERE block_number > target;
  DELETE FROM chain_block WHERE number > target;
END $$;
