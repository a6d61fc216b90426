"""Tests of the portal. What does not belong here: what a page of the last run says (`reports`)."""
