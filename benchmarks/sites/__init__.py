"""Labelled site-years from EnergyPlus, to tune and prove the finding of faults on. The product does without."""
