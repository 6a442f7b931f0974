-- What became of the samples of one life of a device; and of each device, how many were stored.

alter table receive_window add column whole integer not null default 0;      -- it was heard of from its beginning
alter table receive_window add column duplicate integer not null default 0;
alter table receive_window add column refused integer not null default 0;    -- arrived, with a number, and not usable
alter table receive_window add column began integer not null default 0;      -- when it was first heard of
update receive_window set began = updated;

alter table device_count add column stored integer not null default 0;
-- Unnumbered repetitions were not counted until now; so far nothing else made a difference.
update device_count set stored = received - duplicate;
