"""The real system under fire: a seeded workload, faults, and an auditor that shares no code with what it checks.

    make simulate SEED=7 ORDERS=300        one run, with live progress
    make soak ORDERS=2000                  a long one

The workload's decisions come from the seed alone, so that a failing seed can be run again.
"""
