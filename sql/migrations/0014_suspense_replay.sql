-- What a span in suspense needs to be tried again once the fault is mended; never text of a prompt.

alter table suspense add column form text;
alter table suspense add column body bytea;
alter table suspense add column replayed_at timestamptz;
comment on column suspense.form is
    'What body is: export (OTLP of this span with the attributes that are read here), record (the span after '
    'normalization); null: nothing could be kept, it cannot be tried again.';
comment on column suspense.replayed_at is 'When it was tried again and taken; from then on it is in spans, and no longer in suspense.';
create index suspense_waiting on suspense (id) where body is not null and replayed_at is null;
