/* Lets a call on the GPU fail. For tests: a layer of Vulkan, which the loader puts between Accrue and the driver.
 * What it needs of Vulkan's headers is declared here, so that nobody has to install them.
 *
 * FAULT_AT   the call that fails, counted from 1 over the process; with 0, none does
 * FAULT_KIND what is counted, and what becomes of it:
 *            lost: a submission; it and all after it, and all waits, say that the device is lost
 *            reset: a submission; it is taken and begun, and then all waits and submissions say that the device is lost
 *            dropped: a submission; nothing of it is done, but what waits for its end is told that it has come
 *            memory: an allocation of memory; there is none left for it
 *            compiler: a kernel that is made; the driver cannot
 * FAULT_STAYS 1: all calls after it fail in the same way; a device that is lost is so anyway
 * FAULT_LOG  a file that gets a line for each call that is counted
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NO_MEMORY = -2, DEVICE_LOST = -4, UNKNOWN = -13, CREATES_INSTANCE = 47, CREATES_DEVICE = 48, MOST = 16 };

typedef void (*function)(void);
typedef function (*lookup)(void *handle, const char *name);

/* VkLayerInstanceLink, VkLayerDeviceLink: who comes next. Of the last, an instance's is another function. */
struct link {
    struct link *next;
    lookup of_instance, of_device;
};

/* VkLayerInstanceCreateInfo, VkLayerDeviceCreateInfo, and the beginning of every other structure in a chain. */
struct chained {
    int32_t type;
    struct chained *next;
    int32_t what;
    struct link *link;
};

/* VkSubmitInfo */
struct submit {
    int32_t type;
    const void *next;
    uint32_t waits;
    const void *wait, *stages;
    uint32_t commands;
    const void *command;
    uint32_t signals;
    const void *signal;
};

static lookup next_of_instance, next_of_device;
static void *device;
static atomic_int calls;
static atomic_bool lost;

/* Takes the next layer, or the driver, out of what the loader has put into the chain. */
static struct link *take(const struct chained *info, int32_t type)
{
    struct chained *at = info->next;
    while (at && (at->type != type || at->what != 0))
        at = at->next;
    if (at == NULL)
        abort();
    struct link *link = at->link;
    at->link = link->next;
    return link;
}

static int32_t create_instance(const struct chained *info, const void *allocator, void **instance)
{
    next_of_instance = take(info, CREATES_INSTANCE)->of_instance;
    int32_t (*create)(const void *, const void *, void **) = (void *)next_of_instance(NULL, "vkCreateInstance");
    return create(info, allocator, instance);
}

/* There is one device at a time in a process of the command. */
static int32_t create_device(void *adapter, const struct chained *info, const void *allocator, void **made)
{
    struct link *link = take(info, CREATES_DEVICE);
    int32_t (*create)(void *, const void *, const void *, void **) = (void *)link->of_instance(NULL, "vkCreateDevice");
    int32_t result = create(adapter, info, allocator, made);
    next_of_device = link->of_device;
    device = *made;
    return result;
}

static int is(const char *name, const char *value)
{
    const char *text = getenv(name);
    return text && strcmp(text, value) == 0;
}

/* Counts a call: whether it is the one that fails. */
static int fails(const char *name)
{
    int number = atomic_fetch_add(&calls, 1) + 1;
    if (getenv("FAULT_LOG")) {
        int log = open(getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0666);
        dprintf(log, "%s\n", name);
        close(log);
    }
    const char *at = getenv("FAULT_AT");
    return at && atoi(at) > 0 && (is("FAULT_STAYS", "1") ? number >= atoi(at) : number == atoi(at));
}

static int32_t queue_submit(void *queue, uint32_t count, const struct submit *submits, uint64_t fence)
{
    struct submit kept[MOST];
    uint32_t commands = 0;
    int reset = 0;
    if (count > MOST)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        kept[i] = submits[i];
        commands += submits[i].commands;
    }
    /* Some submissions only pass signals on. */
    if (commands > 0 && !is("FAULT_KIND", "memory") && !is("FAULT_KIND", "compiler") && fails("submission")) {
        reset = is("FAULT_KIND", "reset");
        lost = is("FAULT_KIND", "lost");
        for (uint32_t i = 0; i < count && !reset; i++)
            kept[i].commands = 0;
    }
    int32_t (*submit)(void *, uint32_t, const struct submit *, uint64_t) = (void *)next_of_device(device, "vkQueueSubmit");
    int32_t result = lost ? DEVICE_LOST : submit(queue, count, kept, fence);
    lost |= reset;
    return result;
}

static int32_t allocate_memory(void *of, const void *info, const void *allocator, uint64_t *memory)
{
    int32_t (*allocate)(void *, const void *, const void *, uint64_t *) = (void *)next_of_device(of, "vkAllocateMemory");
    return is("FAULT_KIND", "memory") && fails("allocation") ? NO_MEMORY : allocate(of, info, allocator, memory);
}

static int32_t create_pipelines(void *of, uint64_t cache, uint32_t count, const void *infos, const void *allocator,
                                uint64_t *made)
{
    int32_t (*create)(void *, uint64_t, uint32_t, const void *, const void *, uint64_t *) =
        (void *)next_of_device(of, "vkCreateComputePipelines");
    if (!is("FAULT_KIND", "compiler") || !fails("pipeline"))
        return create(of, cache, count, infos, allocator, made);
    memset(made, 0, count * sizeof *made);
    return UNKNOWN;
}

/* A function of the device that says that it is lost. */
#define WAIT(name, parameters, arguments)                                                                              \
    static int32_t name parameters                                                                                     \
    {                                                                                                                  \
        int32_t(*next) parameters = (void *)next_of_device(device, #name);                                             \
        if (next == NULL)                                                                                              \
            next = (void *)next_of_device(device, #name "KHR");                                                        \
        return lost ? DEVICE_LOST : next arguments;                                                                    \
    }

WAIT(vkWaitSemaphores, (void *of, const void *info, uint64_t timeout), (of, info, timeout))
WAIT(vkGetSemaphoreCounterValue, (void *of, uint64_t semaphore, uint64_t *value), (of, semaphore, value))
WAIT(vkWaitForFences, (void *of, uint32_t n, const uint64_t *fences, uint32_t all, uint64_t timeout),
     (of, n, fences, all, timeout))
WAIT(vkGetFenceStatus, (void *of, uint64_t fence), (of, fence))

static function of_device(void *of, const char *name);

static function ours(const char *name)
{
    static const struct {
        const char *name;
        function call;
    } table[] = {
        {"vkAllocateMemory", (function)allocate_memory},
        {"vkCreateComputePipelines", (function)create_pipelines},
        {"vkCreateDevice", (function)create_device},
        {"vkCreateInstance", (function)create_instance},
        {"vkGetDeviceProcAddr", (function)of_device},
        {"vkQueueSubmit", (function)queue_submit},
        {"vkWaitSemaphores", (function)vkWaitSemaphores},
        {"vkWaitSemaphoresKHR", (function)vkWaitSemaphores},
        {"vkGetSemaphoreCounterValue", (function)vkGetSemaphoreCounterValue},
        {"vkGetSemaphoreCounterValueKHR", (function)vkGetSemaphoreCounterValue},
        {"vkWaitForFences", (function)vkWaitForFences},
        {"vkGetFenceStatus", (function)vkGetFenceStatus},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(name, table[i].name) == 0)
            return table[i].call;
    return NULL;
}

static function of_device(void *of, const char *name)
{
    function call = ours(name);
    return call ? call : next_of_device(of, name);
}

/* What the loader asks for. */
function vkGetInstanceProcAddr(void *instance, const char *name)
{
    function call = strcmp(name, "vkGetInstanceProcAddr") == 0 ? (function)vkGetInstanceProcAddr : ours(name);
    return call || next_of_instance == NULL ? call : next_of_instance(instance, name);
}

function vkGetDeviceProcAddr(void *of, const char *name)
{
    return of_device(of, name);
}
