-- What ends every commit, in one round trip: the final block rises, and what is only kept for blocks
-- that may change goes, as do rows of the outbox that are too old to be asked for.
CREATE FUNCTION finalize(final bigint, outbox_rows bigint) RETURNS void LANGUAGE sql AS $$
  UPDATE chain_state SET finalized = greatest(finalized, final);
  DELETE FROM undo WHERE block <= (SELECT finalized FROM chain_state);
  DELETE FROM chain_block WHERE number < (SELECT finalized FROM chain_state);
  DELETE FROM outbox
  WHERE id <= (SELECT max(id) FROM outbox) - outbox_rows
    AND block_number <= (SELECT finalized FROM chain_state)
$$;
