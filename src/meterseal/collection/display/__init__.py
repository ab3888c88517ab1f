"""What people see of a station: pages for the browser, and a JSON API for programs.

Plain pages, rendered here and renewed by a small script of our own: nothing is loaded from
elsewhere, and the content security policy lets no other script run. All data comes from the
station's `Views`; the only thing that is ever written to the store is who acknowledged an alarm.
"""
