"""What people read of a run: its report, sweeps of runs, comparisons."""
