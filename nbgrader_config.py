"""What nbgrader has to know about this course; the README says how to grade with it."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # models this small are slower on many threads

c = get_config()  # noqa: F821 - nbgrader runs this file with that name defined

c.CourseDirectory.course_id = "tiny_frontier"
c.Execute.timeout = 180  # seconds a cell may take: a training cell takes 10 to 20 on a quiet machine
