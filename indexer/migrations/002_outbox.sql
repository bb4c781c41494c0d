-- What subscribers are told, in the order of the commits: written in the transaction that it speaks of,
-- and appended to only. A reorganisation appends retractions; it takes nothing back.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('blocks', 'event', 'retraction')),
  block_number bigint NOT NULL,
  block_hash bytea NOT NULL,
  -- of a retraction: the row that no longer holds
  retracts bigint,
  body jsonb NOT NULL
);
CREATE INDEX outbox_block ON outbox (block_number);
CREATE UNIQUE INDEX outbox_retracted ON outbox (retracts) WHERE retracts IS NOT NULL;

-- Retracts, the newest first, what still stands of the blocks after `target`.
CREATE FUNCTION retract_after(target bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO outbox (kind, block_number, block_hash, retracts, body)
  SELECT 'retraction', block_number, block_hash, id, body
  FROM outbox told
  WHERE block_number > target AND kind <> 'retraction'
    AND NOT EXISTS (SELECT 1 FROM outbox taken WHERE taken.retracts = told.id)
  ORDER BY id DESC
$$;
