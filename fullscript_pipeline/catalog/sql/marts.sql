-- Field-level catalog changes, a day at a time: what the last observation of a day shows against that of the day before.
-- `changed_on` is the day an event tells, else `seen_on`, the day of the observation that showed it.
CREATE TABLE IF NOT EXISTS marts.catalog_changes (
    region VARCHAR,
    changed_on DATE,
    entity VARCHAR,
    entity_id VARCHAR,
    product_id VARCHAR,
    brand_id VARCHAR,
    change VARCHAR,
    field VARCHAR,
    old_value VARCHAR,
    new_value VARCHAR,
    cosmetic BOOLEAN,
    active_plans BIGINT,
    entity_name VARCHAR,
    product_name VARCHAR,
    brand_name VARCHAR,
    delta DECIMAL(18,4),
    delta_percent DECIMAL(18,2),
    seen_on DATE
);
-- The digests that were written: which day each was compared with, why it was held, when a person let it through.
CREATE TABLE IF NOT EXISTS marts.catalog_digests (
    region VARCHAR,
    day DATE,
    from_day DATE,
    held VARCHAR,
    released_at TIMESTAMPTZ
);
-- Which category shows which product, every change kept; core.category_products only knows the present.
CREATE TABLE IF NOT EXISTS history.category_memberships (
    region VARCHAR,
    clinic_id VARCHAR,
    category_id VARCHAR,
    product_id VARCHAR,
    membership_id VARCHAR,
    category_name VARCHAR,
    removed_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
);
