-- A channel changes for as long as it is open, in columns that no index has: while there is room beside
-- the old row, no index has to be told where the new one is.
ALTER TABLE channel SET (fillfactor = 70);
