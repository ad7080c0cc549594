"""Coverage-guided fuzzing of the ground: octets nobody thought of, for parsers in Python and their twins in C.

    python -m fuzz                       an hour over all targets, `make fuzz`
    python -m fuzz head mask --seconds 60
    python -m fuzz.sanitizers            what was learnt so far, under AddressSanitizer and UBSan

targets.py says what has to hold for any octets, seeds.py where the search begins. What is learnt is kept in `.fuzz`,
and the next run goes on from there. Octets for which something does not hold belong into tests/data/fuzzed.py, beside
the mending: tests/fuzz runs every target on them ever after.
"""
