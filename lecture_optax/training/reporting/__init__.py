"""Progress, logs, the summary and the plots of a run."""
