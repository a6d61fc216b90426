-- The marts' rows of the wanted patients go; what is computed for them takes their place.
DELETE FROM marts.adherence m USING adh_scope s
WHERE m.clinic_id = s.clinic_id AND m.patient_id IN (SELECT patient_id FROM adh_wanted);

DELETE FROM marts.adherence_gaps m USING adh_scope s
WHERE m.clinic_id = s.clinic_id AND m.patient_id IN (SELECT patient_id FROM adh_wanted);

DELETE FROM marts.adherence_timeline m USING adh_scope s
WHERE m.clinic_id = s.clinic_id AND m.patient_id IN (SELECT patient_id FROM adh_wanted);

DELETE FROM marts.adherence_dose_periods m USING adh_scope s
WHERE m.clinic_id = s.clinic_id AND m.patient_id IN (SELECT patient_id FROM adh_wanted);
