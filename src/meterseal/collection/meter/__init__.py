"""A three-phase meter in software: from waveforms to registers, events and sealed readings."""
