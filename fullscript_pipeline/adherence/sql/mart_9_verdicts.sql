-- Since when each patient has the verdict that is most urgent.

-- As marts.patients has it, of the wanted patients alone.
CREATE OR REPLACE TEMP TABLE adh_verdicts AS
WITH products AS (
    SELECT a.patient_id, a.product_id, a.treatment_plan_id, coalesce(a.verdict, a.status) AS verdict
    FROM marts.adherence a
    JOIN adh_scope s USING (clinic_id)
    SEMI JOIN adh_wanted w ON w.patient_id = a.patient_id
    WHERE a.is_current IS NOT FALSE
)
SELECT patient_id, arg_min(verdict, (marts.urgency(verdict), product_id, treatment_plan_id)) AS verdict
FROM products
SEMI JOIN (SELECT patient_id FROM core.patients JOIN adh_scope USING (clinic_id) WHERE removed_at IS NULL) p
    USING (patient_id)
GROUP BY patient_id;

-- The day is computed again: what it said before goes.
DELETE FROM marts.patient_verdicts v USING adh_scope s
WHERE v.clinic_id = s.clinic_id AND v.since >= s.day
    AND (s.is_everyone OR v.patient_id IN (SELECT patient_id FROM adh_wanted));

UPDATE marts.patient_verdicts v SET until = NULL
FROM adh_scope s
WHERE v.clinic_id = s.clinic_id AND v.until >= s.day
    AND (s.is_everyone OR v.patient_id IN (SELECT patient_id FROM adh_wanted));

UPDATE marts.patient_verdicts v SET until = s.day
FROM adh_scope s
WHERE v.clinic_id = s.clinic_id AND v.until IS NULL
    AND (s.is_everyone OR v.patient_id IN (SELECT patient_id FROM adh_wanted))
    AND (v.patient_id, v.verdict) NOT IN (SELECT (patient_id, verdict) FROM adh_verdicts);

INSERT INTO marts.patient_verdicts BY NAME
SELECT s.clinic_id, n.patient_id, n.verdict, s.day AS since, NULL::DATE AS until
FROM adh_verdicts n
CROSS JOIN adh_scope s
ANTI JOIN (SELECT clinic_id, patient_id FROM marts.patient_verdicts WHERE until IS NULL) v
    ON v.clinic_id = s.clinic_id AND v.patient_id = n.patient_id;
