-- Field-level catalog changes, a day at a time: what the last observation of a day shows against that of the day before.
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
    brand_name VARCHAR
);
