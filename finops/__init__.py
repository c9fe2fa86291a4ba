"""The rules: what money and tokens mean. Pure: no clock, no environment, no log, no await; standard library only."""
