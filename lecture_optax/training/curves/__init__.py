"""The learning curve of a run, and its symptom: what the report and `recipe.diagnose` say of it."""
