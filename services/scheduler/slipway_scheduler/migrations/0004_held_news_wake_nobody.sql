-- What a replica sends itself needs no relay: with each of its batches, all relays looked through the outbox in vain.
DROP TRIGGER outbox_added ON outbox;
CREATE TRIGGER outbox_added AFTER INSERT ON outbox
    FOR EACH ROW WHEN (NEW.retry_at <= now()) EXECUTE FUNCTION outbox_notify();
