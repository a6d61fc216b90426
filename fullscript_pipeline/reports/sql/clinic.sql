SELECT clinic_id, clinic_key, region, name FROM core.clinics WHERE clinic_id = $clinic LIMIT 1
