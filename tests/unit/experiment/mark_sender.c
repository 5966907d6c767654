/* Sends marks from C, as a user's program would. */
#include "ergo/mark.h"

int main(void) {
  errno = EDOM;
  ergo_mark_begin("c window");
  ergo_mark_event("c.event");
  ergo_mark_end_count("c window", 7);
  ergo_mark_begin_count("c.counted", 3);
  ergo_mark_end("c.counted");
  ergo_mark_event(NULL);
  return errno == EDOM ? 0 : 1;
}
