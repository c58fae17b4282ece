#include "conf/health.h"

bool health_judge(struct health *health, const struct app_health *check, bool good)
{
    if (good != health->dead) {
        health->against = 0;
        return false;
    }
    health->against++;
    if (health->against < (good ? check->rise : check->fall))
        return false;
    health->dead = !good;
    health->against = 0;
    return true;
}
