// A pretend CUDA device for a build of PyTorch that has none.
//
// Tensors of this device say "cuda", keep their numbers in the memory of the host and are computed
// with by the kernels of the CPU. What the real device refuses is refused here too: tensors of two
// devices in one operation, a generator of the CPU that fills a tensor of the device, and indices
// of the device into a tensor of the CPU. Every call of a kernel, every copy and everything that
// would make the host wait is counted. Nothing here knows about speed or rounding, except that
// convolutions that would be rounded to TF32, or would run without cuDNN, are counted too.
//
// The library is loaded before torch is imported, see pretend_cuda.py.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/alloc_cpu.h>
#include <torch/library.h>

#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <unordered_map>

namespace {

constexpr auto CUDA = c10::DeviceType::CUDA;
const c10::Device DEVICE(CUDA, 0);

// ---------------------------------------------------------------------------------- the counts

std::mutex guard_of_counts;
std::map<std::string, int64_t> totals;   // what tests compare, by name
std::map<std::string, int64_t> kernels;  // calls by operator

void count(const std::string& name, int64_t by = 1) {
  std::lock_guard<std::mutex> lock(guard_of_counts);
  totals[name] += by;
}

void count_kernel(const std::string& name) {
  std::lock_guard<std::mutex> lock(guard_of_counts);
  totals["calls"]++;
  kernels[name]++;
}

// ------------------------------------------------------------------------------------- memory

void free_memory(void* pointer) { c10::free_cpu(pointer); }

struct DeviceAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t size) override {
    void* pointer = size ? c10::alloc_cpu(size) : nullptr;
    return {pointer, pointer, &free_memory, DEVICE};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_memory; }
  void copy_data(void* to, const void* from, std::size_t size) const override {
    default_copy_data(to, from, size);
  }
};
DeviceAllocator device_allocator;
REGISTER_ALLOCATOR(CUDA, &device_allocator);

std::mutex guard_of_pinned;
std::map<const char*, size_t> pinned;  // where page-locked memory begins, and how much it is

void free_pinned(void* pointer) {
  std::lock_guard<std::mutex> lock(guard_of_pinned);
  pinned.erase(static_cast<const char*>(pointer));
  c10::free_cpu(pointer);
}

bool is_pinned(const void* pointer) {
  std::lock_guard<std::mutex> lock(guard_of_pinned);
  auto after = pinned.upper_bound(static_cast<const char*>(pointer));
  if (after == pinned.begin()) return false;
  auto [start, size] = *std::prev(after);
  return static_cast<const char*>(pointer) < start + size;
}

struct PinnedAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t size) override {
    void* pointer = c10::alloc_cpu(std::max<size_t>(size, 1));
    std::lock_guard<std::mutex> lock(guard_of_pinned);
    pinned[static_cast<const char*>(pointer)] = std::max<size_t>(size, 1);
    return {pointer, pointer, &free_pinned, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_pinned; }
  void copy_data(void* to, const void* from, std::size_t size) const override {
    default_copy_data(to, from, size);
  }
};
PinnedAllocator pinned_allocator;

// ------------------------------------------------------------------------------------- chance

// A generator that belongs to the device, and draws what one of the CPU with its seed draws.
struct DeviceGenerator final : public c10::GeneratorImpl {
  DeviceGenerator()
      : c10::GeneratorImpl(DEVICE, c10::DispatchKeySet(c10::DispatchKey::CUDA)),
        of_host(at::detail::createCPUGenerator()) {}
  void set_current_seed(uint64_t seed) override { of_host.set_current_seed(seed); }
  void set_offset(uint64_t) override {}
  uint64_t get_offset() const override { return 0; }
  uint64_t current_seed() const override { return of_host.current_seed(); }
  uint64_t seed() override { return of_host.seed(); }
  void set_state(const c10::TensorImpl& state) override {
    of_host.unsafeGetGeneratorImpl()->set_state(state);
  }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    return of_host.unsafeGetGeneratorImpl()->get_state();
  }
  DeviceGenerator* clone_impl() const override {
    auto* copy = new DeviceGenerator();
    copy->of_host = of_host.clone();
    return copy;
  }

  at::Generator of_host;
};

// --------------------------------------------------------------- what PyTorch asks of a backend

struct Guard final : public c10::impl::DeviceGuardImplInterface {
  Guard() = default;
  explicit Guard(c10::DeviceType) {}
  c10::DeviceType type() const override { return CUDA; }
  c10::Device exchangeDevice(c10::Device) const override { return DEVICE; }
  c10::Device getDevice() const override { return DEVICE; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const override { return stream(); }
  c10::Stream getNewStream(c10::Device, int = 0) const override { return stream(); }
  c10::Stream exchangeStream(c10::Stream other) const override { return other; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }

 private:
  static c10::Stream stream() { return c10::Stream(c10::Stream::DEFAULT, DEVICE); }
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard);

}  // namespace

namespace at {

struct CUDAHooks final : public CUDAHooksInterface {
  explicit CUDAHooks(CUDAHooksArgs) {}
  void init() const override {}
  bool hasCUDA() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex current_device() const override { return 0; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  int getNumGPUs() const override { return 1; }
  void deviceSynchronize(c10::DeviceIndex) const override { count("synchronisations"); }
  bool isPinnedPtr(const void* pointer) const override { return is_pinned(pointer); }
  c10::Allocator* getPinnedMemoryAllocator() const override { return &pinned_allocator; }
  at::Generator getNewGenerator(c10::DeviceIndex) const override {
    return at::make_generator<DeviceGenerator>();
  }
  std::string showConfig() const override { return "a pretend device"; }
};
REGISTER_CUDA_HOOKS(CUDAHooks)

}  // namespace at

namespace {

// -------------------------------------------------- the same memory as a tensor of either device

at::Tensor made_of(c10::Storage storage, const at::Tensor& like, c10::DispatchKey key) {
  auto made = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(key), like.dtype());
  made.unsafeGetTensorImpl()->set_sizes_and_strides(
      like.sizes(), like.strides(), like.storage_offset());
  if (like.is_conj()) made._set_conj(true);
  if (like.is_neg()) made._set_neg(true);
  return made;
}

// The same bytes under the name of another device; they live as long as either storage does.
c10::Storage renamed(const c10::Storage& storage, c10::Device device) {
  auto* kept = new c10::Storage(storage);
  c10::DataPtr pointer(
      storage.mutable_data(), kept,
      [](void* owner) { delete static_cast<c10::Storage*>(owner); }, device);
  c10::Allocator* allocator =
      device.is_cpu() ? c10::GetAllocator(c10::DeviceType::CPU) : &device_allocator;
  return c10::Storage(
      c10::Storage::use_byte_size_t(), storage.nbytes(), std::move(pointer), allocator, true);
}

at::Tensor on_host(const at::Tensor& t) {
  return made_of(renamed(t.storage(), c10::Device(c10::kCPU)), t, c10::DispatchKey::CPU);
}

at::Tensor on_device(const at::Tensor& t) {
  return made_of(renamed(t.storage(), DEVICE), t, c10::DispatchKey::CUDA);
}

bool is_ours(const at::Tensor& t) { return t.device().type() == CUDA; }

// ------------------------------------------------------------------- every operator, by the CPU

// Operators that only describe memory anew, which a device has no kernel for.
const std::set<std::string> VIEWS = {
    "aten::view", "aten::as_strided", "aten::_reshape_alias", "aten::unfold", "aten::alias",
    "aten::detach", "aten::_unsafe_view", "aten::view_as_real", "aten::set_", "aten::select",
    "aten::slice"};

// Operators whose results the host has to wait for.
const std::set<std::string> WAITED_FOR = {
    "aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::_unique2",
    "aten::unique_dim", "aten::equal", "aten::bincount"};

// One call of an operator: its arguments as tensors of the host, and what came of them.
class Call {
 public:
  Call(const c10::OperatorHandle& op, torch::jit::Stack* stack) : op_(op), stack_(stack) {}

  void run() {
    const auto& schema = op_.schema();
    begin_ = stack_->size() - schema.arguments().size();
    for (size_t i = 0; i < schema.arguments().size(); i++)
      (*stack_)[begin_ + i] = taken((*stack_)[begin_ + i], schema.arguments()[i].name());
    refuse_what_the_device_refuses();
    count_this();
    op_.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack_);
    take_new_sizes();
    const auto first = stack_->size() - schema.returns().size();
    for (size_t i = first; i < stack_->size(); i++) (*stack_)[i] = given_back((*stack_)[i]);
  }

 private:
  // An argument as the kernel of the CPU takes it.
  c10::IValue taken(const c10::IValue& value, const std::string& name) {
    if (value.isTensor()) return taken(value.toTensor(), name);
    if (value.isDevice() && value.toDevice().type() == CUDA) return c10::Device(c10::kCPU);
    if (value.isGenerator()) {
      const auto generator = value.toGenerator();
      generator_of_host_ = generator.device().is_cpu();
      if (generator_of_host_) return value;
      return static_cast<DeviceGenerator*>(generator.unsafeGetGeneratorImpl())->of_host;
    }
    if (value.isTensorList()) {
      auto list = value.toTensorVector();
      for (auto& t : list) t = taken(t, name);
      return c10::IValue(list);
    }
    if (!value.isList()) return value;
    const auto parts = value.toListRef();
    bool tensors = !parts.empty();
    for (const auto& part : parts) tensors = tensors && (part.isTensor() || part.isNone());
    if (!tensors) return value;
    c10::List<std::optional<at::Tensor>> made;
    for (const auto& part : parts)
      made.push_back(part.isTensor() ? std::optional(taken(part.toTensor(), name)) : std::nullopt);
    return c10::IValue(made);
  }

  at::Tensor taken(const at::Tensor& t, const std::string& name) {
    if (!t.defined()) return t;
    if (!is_ours(t)) {
      host_first_ = host_first_ || arguments_ == 0;
      arguments_++;
      hosts_.emplace_back(name, t);
      return t;
    }
    arguments_++;
    if (name == "indices" && t.scalar_type() == c10::kBool) by_mask_ = true;
    auto twin = on_host(t);
    ours_.emplace_back(twin, t);
    back_.emplace(twin.unsafeGetTensorImpl(), t);
    if (t.storage().nbytes()) storages_.emplace(t.storage().mutable_data(), t.storage());
    return twin;
  }

  std::string name() const { return op_.schema().name(); }

  bool indexes() const {
    for (const auto* start : {"aten::index", "aten::_index_put", "aten::_unsafe_index"})
      if (name().rfind(start, 0) == 0) return true;
    return false;
  }

  void refuse_what_the_device_refuses() const {
    if (ours_.empty()) return;
    TORCH_CHECK(!generator_of_host_, "pretend CUDA: ", name(),
                " of a tensor of the device by a generator of the CPU");
    for (const auto& [argument, t] : hosts_) {
      const bool index = indexes() && argument == "indices" && !host_first_;
      const bool scalar = t.dim() == 0 && !(indexes() && host_first_);
      TORCH_CHECK(index || scalar, "pretend CUDA: ", name(), " of tensors of two devices: ",
                  argument, " of shape ", t.sizes(), " is on the CPU");
      if (index) count("copies to the device");
    }
  }

  void count_this() const {
    if (VIEWS.count(name())) return;
    count_kernel(name());
    if (!ours_.empty() && (WAITED_FOR.count(name()) || by_mask_)) count("synchronisations");
  }

  // Outputs that were given in and that the kernel gave another size.
  void take_new_sizes() const {
    for (const auto& [twin, t] : ours_) {
      const bool moved =
          twin.storage().nbytes() && twin.storage().data() != t.storage().data();
      if (twin.sizes() == t.sizes() && !moved) continue;
      auto* impl = t.unsafeGetTensorImpl();
      impl->set_storage_keep_dtype(on_device(twin).storage());
      impl->set_sizes_and_strides(twin.sizes(), twin.strides(), twin.storage_offset());
    }
  }

  c10::IValue given_back(const c10::IValue& value) const {
    if (value.isTensor()) return given_back(value.toTensor());
    if (!value.isTensorList()) return value;
    auto list = value.toTensorVector();
    for (auto& t : list) t = given_back(t);
    return c10::IValue(list);
  }

  at::Tensor given_back(const at::Tensor& t) const {
    if (!t.defined()) return t;
    auto same = back_.find(t.unsafeGetTensorImpl());
    if (same != back_.end()) return same->second;
    if (!t.device().is_cpu() || ours_.empty()) return t;
    if (t.storage().nbytes()) {
      auto view = storages_.find(t.storage().mutable_data());
      if (view != storages_.end()) return made_of(view->second, t, c10::DispatchKey::CUDA);
    }
    return on_device(t);
  }

  const c10::OperatorHandle& op_;
  torch::jit::Stack* stack_;
  size_t begin_ = 0;
  int arguments_ = 0;
  bool host_first_ = false, generator_of_host_ = false, by_mask_ = false;
  std::vector<std::pair<std::string, at::Tensor>> hosts_;           // tensors of the CPU
  std::vector<std::pair<at::Tensor, at::Tensor>> ours_;             // a twin, and ours
  std::unordered_map<c10::TensorImpl*, at::Tensor> back_;           // ours, by twin
  std::unordered_map<void*, c10::Storage> storages_;                // ours, by where they begin
};

void by_the_host(const c10::OperatorHandle& op, torch::jit::Stack* stack) { Call(op, stack).run(); }

// ---------------------------------------------------------------- operators that need their own

at::Tensor empty(c10::IntArrayRef size, std::optional<c10::ScalarType> dtype,
                 std::optional<c10::Layout>, std::optional<c10::Device>, std::optional<bool>,
                 std::optional<c10::MemoryFormat> format) {
  return at::detail::empty_generic(size, &device_allocator,
                                   c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                   c10::dtype_or_default(dtype), format);
}

at::Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride,
                         std::optional<c10::ScalarType> dtype, std::optional<c10::Layout>,
                         std::optional<c10::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &device_allocator,
                                           c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                           c10::dtype_or_default(dtype));
}

at::Tensor& copied(at::Tensor& to, const at::Tensor& given, bool) {
  const auto from = given.expand_as(to);
  const bool away = is_ours(from) && !is_ours(to), hither = !is_ours(from) && is_ours(to);
  if (away) {
    count("copies to the host");
    count("synchronisations");
  } else if (hither) {
    count("copies to the device");
    count("bytes to the device", from.nbytes());
    if (!is_pinned(from.storage().data())) count("copies from pageable memory");
  } else {
    count_kernel("copy on the device");
  }
  (is_ours(to) ? on_host(to) : to).copy_(is_ours(from) ? on_host(from) : from);
  return to;
}

const at::Tensor& resized(const at::Tensor& self, c10::SymIntArrayRef sizes,
                          std::optional<c10::MemoryFormat>) {
  const auto size = C10_AS_INTARRAYREF_SLOW(sizes);
  int64_t numbers = self.storage_offset();
  int64_t product = 1;
  for (auto side : size) product *= side;
  const size_t needed = (numbers + product) * self.itemsize();
  auto* impl = self.unsafeGetTensorImpl();
  if (self.storage().nbytes() < needed) {
    c10::Storage larger(c10::Storage::use_byte_size_t(), needed,
                        device_allocator.allocate(needed), &device_allocator, true);
    if (self.storage().nbytes())
      std::memcpy(larger.mutable_data(), self.storage().data(), self.storage().nbytes());
    impl->set_storage_keep_dtype(larger);
  }
  impl->set_sizes_contiguous(size);
  return self;
}

at::Tensor& set_storage(at::Tensor& self, at::Storage source, c10::SymInt offset,
                        c10::SymIntArrayRef size, c10::SymIntArrayRef stride) {
  auto* impl = self.unsafeGetTensorImpl();
  impl->set_storage_keep_dtype(source);
  impl->set_sizes_and_strides(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
                              offset.expect_int());
  return self;
}

at::Tensor& set_tensor(at::Tensor& self, const at::Tensor& source) {
  auto* impl = self.unsafeGetTensorImpl();
  impl->set_storage_keep_dtype(source.storage());
  impl->set_sizes_and_strides(source.sizes(), source.strides(), source.storage_offset());
  return self;
}

void require_ours(std::initializer_list<at::Tensor> tensors) {
  for (const auto& t : tensors)
    TORCH_CHECK(!t.defined() || is_ours(t), "pretend CUDA: convolution of tensors of two devices");
}

// Single precision that cuDNN would round, and work that it would not be given.
void count_convolution(const at::Tensor& x) {
  count_kernel("aten::convolution");
  const bool tf32 = at::globalContext().allowTF32CuDNN();
  if (x.scalar_type() == at::kFloat && tf32) count("convolutions in TF32");
  if (!at::globalContext().userEnabledCuDNN()) count("convolutions without cuDNN");
}

at::Tensor convolved(const at::Tensor& x, const at::Tensor& weight,
                       const std::optional<at::Tensor>& bias, at::IntArrayRef stride,
                       at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
                       at::IntArrayRef output_padding, int64_t groups) {
  const bool biased = bias.has_value() && bias->defined();
  require_ours({x, weight, biased ? *bias : at::Tensor()});
  count_convolution(x);
  std::optional<at::Tensor> own;
  if (biased) own = on_host(*bias);
  return on_device(at::convolution(on_host(x), on_host(weight), own, stride, padding, dilation,
                                   transposed, output_padding, groups));
}

at::Tensor convolved_by_flags(const at::Tensor& x, const at::Tensor& weight,
                                const std::optional<at::Tensor>& bias, at::IntArrayRef stride,
                                at::IntArrayRef padding, at::IntArrayRef dilation,
                                bool transposed, at::IntArrayRef output_padding, int64_t groups,
                                bool, bool, bool, bool) {
  return convolved(x, weight, bias, stride, padding, dilation, transposed, output_padding,
                     groups);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolved_backward(
    const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight,
    at::OptionalIntArrayRef, at::IntArrayRef stride, at::IntArrayRef padding,
    at::IntArrayRef dilation, bool transposed, at::IntArrayRef output_padding, int64_t groups,
    std::array<bool, 3> wanted) {
  require_ours({gradient, x, weight});
  for (bool each : {wanted[0], wanted[1]})
    if (each) count_convolution(x);
  std::vector<int64_t> sizes{gradient.size(1)};
  auto made = at::convolution_backward(
      on_host(gradient), on_host(x), on_host(weight),
      wanted[2] ? at::OptionalIntArrayRef(sizes) : std::nullopt, stride, padding, dilation,
      transposed, output_padding, groups, wanted);
  auto given = [](const at::Tensor& t) { return t.defined() ? on_device(t) : t; };
  return {given(std::get<0>(made)), given(std::get<1>(made)), given(std::get<2>(made))};
}

}  // namespace

TORCH_LIBRARY_IMPL(_, CUDA, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&by_the_host>());
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("copy_", &copied);
  library.impl("resize_", &resized);
  library.impl("set_.source_Storage_storage_offset", &set_storage);
  library.impl("set_.source_Tensor", &set_tensor);
  library.impl("convolution_overrideable", &convolved);
  library.impl("convolution_backward", &convolved_backward);
  library.impl("_convolution", &convolved_by_flags);
  library.impl("convolution", &convolved);
}

// --------------------------------------------------------------------------- what Python calls

extern "C" {

void pretend_reset() {
  std::lock_guard<std::mutex> lock(guard_of_counts);
  totals.clear();
  kernels.clear();
}

// The counts as JSON: totals, and calls by operator under "kernels". Valid until the next call.
const char* pretend_counts() {
  static std::string text;
  std::lock_guard<std::mutex> lock(guard_of_counts);
  std::ostringstream out;
  auto write = [&out](const std::map<std::string, int64_t>& numbers) {
    const char* before = "";
    for (const auto& [name, number] : numbers) {
      out << before << '"' << name << "\": " << number;
      before = ", ";
    }
  };
  out << "{\"totals\": {";
  write(totals);
  out << "}, \"kernels\": {";
  write(kernels);
  out << "}}";
  text = out.str();
  return text.c_str();
}
}
