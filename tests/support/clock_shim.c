// Loaded before the C library by a test: the wall clock says what CLOCK_SHIM asks for ("1970",
// "2100", or "back": an hour less at every look). Steady time is left alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static time_t shown(void) {
  static time_t looks = 0;
  const char* wish = getenv("CLOCK_SHIM");
  if (wish && strcmp(wish, "1970") == 0) return 0;
  if (wish && strcmp(wish, "2100") == 0) return 4102444800;
  return 1700000000 - 3600 * ++looks;
}

time_t time(time_t* out) {
  const time_t now = shown();
  if (out) *out = now;
  return now;
}

int clock_gettime(clockid_t clock, struct timespec* out) {
  static int (*real)(clockid_t, struct timespec*) = NULL;
  if (!real) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, out);
  if (clock == CLOCK_REALTIME) out->tv_sec = shown();
  return result;
}
