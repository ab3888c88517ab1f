/* What the contestants in C share: read "WORK SECONDS" or "WORK/SIZE SECONDS", answer with calls in
 * a second of CPU time, or "-" for work that they do not know. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void (*call_t)(void);

static size_t size;
static unsigned char data[1 << 16], out[1 << 16], iv[16], key[16], digest[32];

static call_t named(const char *work);

static double spent_until_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static double calls_per_second(call_t call, double wanted)
{
    for (long count = 1;;) {
        double start = spent_until_now(), spent, factor;
        for (long i = 0; i < count; i++)
            call();
        spent = spent_until_now() - start;
        if (spent >= wanted / 2)
            return count / spent;
        factor = wanted / (spent + 1e-9);
        count = count * (factor > 10 ? 10 : factor) + 1;
    }
}

static int contest(const char *name)
{
    char line[256], work[64];
    double seconds;
    puts(name);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        call_t call = NULL;
        if (sscanf(line, "%63[^/ ]/%zu %lf", work, &size, &seconds) == 3 && size <= sizeof data / 2)
            call = named(work);
        else if (sscanf(line, "%63[^/ ] %lf", work, &seconds) == 2)
            call = named(work);
        if (call)
            printf("%.9g\n", calls_per_second(call, seconds));
        else
            puts("-");
        fflush(stdout);
    }
    return 0;
}
