-- The part of each row that can be measured: [window_start, window_end), both dates, the end exclusive.
-- Rows whose window is empty have not started; they get no figure at all.
CREATE OR REPLACE TEMP TABLE adh_windows AS
SELECT
    row_id,
    pool_id,
    start_on AS window_start,
    least(coalesce(stop_on, as_of), as_of) AS window_end,
    count(*) OVER (PARTITION BY pool_id) AS rows_in_pool
FROM adh_rows, adh_policy
WHERE least(coalesce(stop_on, as_of), as_of) > start_on;
