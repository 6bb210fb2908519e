-- Each firing moves its schedule in `schedules_due`, and thereby writes an entry into every other index: only what has
-- a rule of its own stays in this one.
DROP INDEX schedules_rule;
CREATE INDEX schedules_rule ON schedules (rule_id) WHERE form = 'timetable';
