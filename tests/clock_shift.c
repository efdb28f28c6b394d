/* Shifts the wall clock of a process and its children by CLOCK_SHIFT seconds.
 *
 * Monotonic clocks and the length of waits stay as they are, also of waits until a moment of the
 * wall clock. Used as LD_PRELOAD; `make hours` builds it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long shift(void) {
    static long seconds;
    static int is_known;
    if (!is_known) {
        const char *text = getenv("CLOCK_SHIFT");
        seconds = text ? atol(text) : 0;
        is_known = 1;
    }
    return seconds;
}

static int is_wall(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static __typeof__(&clock_gettime) real;
    if (!real) real = REAL(clock_gettime);
    int result = real(clock, now);
    if (!result && is_wall(clock)) now->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    static __typeof__(&gettimeofday) real;
    if (!real) real = REAL(gettimeofday);
    int result = real(now, zone);
    if (!result) now->tv_sec += shift();
    return result;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

static long seconds_from(clockid_t clock, const struct timespec *moment) {
    struct timespec now;
    clock_gettime(clock, &now);
    return labs(moment->tv_sec - now.tv_sec);
}

/* A condition may have been made for the monotonic clock, which counts from the machine's start. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                           const struct timespec *until) {
    static __typeof__(&pthread_cond_timedwait) real;
    /* Without a version, dlsym may find the one of old condition variables on x86-64. */
    if (!real) real = (__typeof__(real))dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real) real = REAL(pthread_cond_timedwait);
    struct timespec moment = *until;
    if (seconds_from(CLOCK_REALTIME, until) < seconds_from(CLOCK_MONOTONIC, until))
        moment.tv_sec -= shift();
    return real(condition, mutex, &moment);
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *until) {
    static __typeof__(&pthread_cond_clockwait) real;
    if (!real) real = REAL(pthread_cond_clockwait);
    struct timespec moment = *until;
    if (is_wall(clock)) moment.tv_sec -= shift();
    return real(condition, mutex, clock, &moment);
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
    static __typeof__(&pthread_mutex_timedlock) real;
    if (!real) real = REAL(pthread_mutex_timedlock);
    struct timespec moment = *until;
    moment.tv_sec -= shift();
    return real(mutex, &moment);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    static __typeof__(&sem_timedwait) real;
    if (!real) real = REAL(sem_timedwait);
    struct timespec moment = *until;
    moment.tv_sec -= shift();
    return real(semaphore, &moment);
}
