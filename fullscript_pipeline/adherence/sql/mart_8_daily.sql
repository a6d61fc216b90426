-- How many products have each status on the day of the marts.

DELETE FROM marts.adherence_daily d USING adh_scope s WHERE d.clinic_id = s.clinic_id AND d.day = s.day;

INSERT INTO marts.adherence_daily BY NAME
SELECT a.clinic_id, a.as_of AS day, a.status, count(*) AS count
FROM marts.adherence a
JOIN adh_scope s ON s.clinic_id = a.clinic_id AND s.day = a.as_of
WHERE a.is_current IS NOT FALSE
GROUP BY a.clinic_id, a.as_of, a.status;
