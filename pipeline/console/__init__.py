"""What a person sees.

progress   bars on a terminal, plain lines elsewhere
log        lines on stderr, JSON lines in logs/
streams    stdout and stderr that may go away
printable  text from outside, made safe to show"""
