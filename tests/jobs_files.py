"""Headings of the neutral format."""

PROJECTS = "project_id,name,sector,country,value_usd,announced_on,announced_precision\n"
PARTNERS = "partner_id,name,country,kind,sector,description\n"
DEALS = "project_id,partner_id,role,closed_on,closed_precision,value_usd\n"
