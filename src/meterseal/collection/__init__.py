"""The collection system: what is measured, and how it reaches the station."""
