#include "convolution.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

enum { NOT_PACKED, IN_WORK, PACKED };

// What processes tell each other of a kernel, in memory that they share.
struct agreement {
  _Atomic int state;
  // Processes that read the plain numbers still.
  _Atomic int readers;
  // Of the packed ones.
  lyco_packing packing;
  uint64_t layout;
};

struct lyco_shared_kernel {
  struct agreement *agreement;
  char *plain, *packed;
  size_t plain_size, room;
};

static size_t rounded(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

lyco_shared_kernel *lyco_shared_kernel_create(size_t outputs, size_t inputs, size_t height,
                                              size_t width, size_t number_size) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), numbers = height * width * number_size;
  const size_t plain_size = rounded(outputs * inputs * numbers, page);
  // Layouts fill channels up to whole vectors, at most four of 16 numbers.
  const size_t room = rounded(rounded(outputs, 64) * rounded(inputs, 64) * numbers, page);
  if (outputs * inputs * numbers < page) return NULL;
  char *values = lyco_take_shared(plain_size + room, page);
  struct agreement *agreement = lyco_take_shared(sizeof *agreement, LYCO_LINE);
  lyco_shared_kernel *kernel = values && agreement ? malloc(sizeof *kernel) : NULL;
  if (!kernel) return NULL;
  *kernel = (lyco_shared_kernel){agreement, values, values + plain_size, plain_size, room};
  atomic_fetch_add(&agreement->readers, 1);
  return kernel;
}

void lyco_shared_kernel_destroy(lyco_shared_kernel *kernel) { free(kernel); }

void *lyco_shared_plain(const lyco_shared_kernel *kernel) { return kernel->plain; }

void *lyco_find_packed(lyco_shared_kernel *kernel, queried_descriptor *layout) {
  struct agreement *agreement = kernel->agreement;
  if (atomic_load(&agreement->state) != PACKED) return NULL;
  const lyco_packing *packing = &agreement->packing;
  lyco_prepared *prepared;
  if (lyco_prepare_convolution(&packing->extents, packing->towards, packing->type,
                               packing->has_bias, &prepared) != dnnl_success)
    return NULL;
  *layout = lyco_wanted(prepared, DNNL_ARG_WEIGHTS);
  // It depends on the number of threads, which processes need not have in common.
  return lyco_layout_digest(*layout) == agreement->layout ? kernel->packed : NULL;
}

dnnl_status_t lyco_pack(lyco_shared_kernel *kernel, queried_descriptor plain,
                        const lyco_packing *packing, queried_descriptor wanted, void **packed) {
  struct agreement *agreement = kernel->agreement;
  const uint64_t layout = lyco_layout_digest(wanted);
  *packed = NULL;
  if (!layout || dnnl_memory_desc_get_size(wanted) > kernel->room) return dnnl_success;
  int state = NOT_PACKED;
  if (!atomic_compare_exchange_strong(&agreement->state, &state, IN_WORK)) return dnnl_success;
  const dnnl_status_t status = lyco_reorder(plain, kernel->plain, wanted, kernel->packed);
  if (status == dnnl_success) {
    agreement->packing = *packing;
    agreement->layout = layout;
    *packed = kernel->packed;
  }
  atomic_store(&agreement->state, status == dnnl_success ? PACKED : NOT_PACKED);
  return status;
}

void lyco_leave_plain(lyco_shared_kernel *kernel) {
  if (atomic_fetch_sub(&kernel->agreement->readers, 1) > 1) return;
#ifdef __linux__
  // Gone for all of them.
  madvise(kernel->plain, kernel->plain_size, MADV_REMOVE);
#endif
}
