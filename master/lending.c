#include "master/lending.h"

enum lending_action lending_decide(const struct lending_slot *slot, int64_t now)
{
    if (slot->ready)
        return slot->borrower >= 0 ? LENDING_RETURN : LENDING_NONE;
    if (slot->borrower < 0 && now - slot->down_since >= LENDING_PATIENCE)
        return LENDING_LEND;
    return LENDING_NONE;
}

int lending_choose(const struct lending_slot *slots, size_t count, size_t *cursor)
{
    for (size_t step = 1; step <= count; step++) {
        size_t candidate = (*cursor + step) % count;

        if (slots[candidate].ready) {
            *cursor = candidate;
            return (int)candidate;
        }
    }
    return -1;
}

void lending_ready(struct lending_slot *slots, size_t slot)
{
    slots[slot].ready = true;
}

void lending_death(struct lending_slot *slots, size_t count, size_t slot, int64_t now)
{
    if (slots[slot].ready)
        slots[slot].down_since = now;
    slots[slot].ready = false;
    for (size_t i = 0; i < count; i++)
        if (slots[i].borrower == (int)slot)
            slots[i].borrower = -1;
}
