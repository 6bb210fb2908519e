-- Which line was sent again with which.
ALTER TABLE deliveries ADD COLUMN replay_of text NOT NULL DEFAULT '';
