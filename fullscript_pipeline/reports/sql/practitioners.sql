SELECT practitioner_id, first_name, last_name FROM core.practitioners WHERE clinic_id = $clinic
