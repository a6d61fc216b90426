-- What the marts keep of each day: counts per status, and since when each patient has the verdict that is most urgent.

DELETE FROM marts.adherence_daily d USING adh_scope s WHERE d.clinic_id = s.clinic_id AND d.day = s.day;

INSERT INTO marts.adherence_daily BY NAME
SELECT a.clinic_id, a.as_of AS day, a.status, count(*) AS count
FROM marts.adherence a
JOIN adh_scope s ON s.clinic_id = a.clinic_id AND s.day = a.as_of
WHERE a.is_current IS NOT FALSE
GROUP BY a.clinic_id, a.as_of, a.status;

CREATE OR REPLACE TEMP TABLE adh_verdicts AS
SELECT p.patient_id, p.worst_verdict AS verdict
FROM marts.patients p
JOIN adh_scope s USING (clinic_id)
WHERE p.worst_verdict IS NOT NULL AND (s.is_everyone OR p.patient_id IN (SELECT patient_id FROM adh_wanted));

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
