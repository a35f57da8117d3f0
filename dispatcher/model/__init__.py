"""The words of the dispatcher as types: states, records, jobs, keys, secrets."""
