"""Prediction: recognize a frame that repeats an earlier one, and read only what changed.

A template is the bytes of a whole frame with holes: the value of its `id:` line, the answer's string, and
counters after it. If the fixed bytes are equal and each hole holds a valid value, the frame has an equal
parse, so only the holes are read. `template` matches, `common` is what the predicted events share, `budget`
limits what failed attempts may cost.

How it differs from the crate, and why:
1. Only whole frames within one chunk are predicted, and only where a frame begins with nothing held. The
   crate follows a frame into the next chunks (`in_flight.rs`); here a step a piece would cost more than the
   full parse that it saves. A bare JSON value that lies in several chunks is matched once it is complete.
2. A frame is compared with a handful of C calls (`startswith`, `find`, `decode`), next to which a Python
   call a frame would be dear. So a template is compiled to one closure (`Template.run`) that reads frame
   after frame and delivers them: matching, reading the holes and delivering are one loop.
3. What a failed comparison has looked at is not known here, so the budget counts templates instead of bytes.
4. Several counters may follow the string: a usage in every chunk would else never be predicted, and the full
   parse costs more here.

What is predicted and what not differs, therefore; the events never do.
"""
