"""The collector: polls meters, seals what they say, keeps it until a station has signed for it."""
