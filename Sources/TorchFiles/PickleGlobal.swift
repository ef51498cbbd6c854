import Tensors

/// What a pickle may name: the few things state dicts are made of, and classes whose values are
/// passed over. Nothing is ever called.
enum PickleGlobal {
  case orderedDict, defaultDict
  /// `torch._utils._rebuild_tensor`, its second and third version
  case rebuildTensor, rebuildTensor2, rebuildTensor3
  /// The same tensor as a parameter
  case rebuildParameter
  /// A tensor with attributes, or of a subclass
  case rebuildFromType
  case size
  /// A storage of a format, nil for bytes
  case storage(DType?)
  case dtype(DType)
  /// `torch.nn.ParameterDict` and `ParameterList`
  case parameters
  /// A class or function whose value is passed over
  case opaque

  /// - Parameter name: `module.name`
  /// - Returns: nil for what must be refused
  init?(_ name: String) {
    guard let known = Self.known[name] else {
      let isOpaque = Self.opaquePrefixes.contains { name.hasPrefix($0) }
      guard isOpaque else { return nil }
      self = .opaque
      return
    }
    self = known
  }

  private static let known: [String: PickleGlobal] = {
    var known: [String: PickleGlobal] = [
      "collections.OrderedDict": .orderedDict,
      "collections.defaultdict": .defaultDict,
      "torch._utils._rebuild_tensor": .rebuildTensor,
      "torch._utils._rebuild_tensor_v2": .rebuildTensor2,
      "torch._utils._rebuild_tensor_v3": .rebuildTensor3,
      "torch._utils._rebuild_parameter": .rebuildParameter,
      "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
      "torch._tensor._rebuild_from_type_v2": .rebuildFromType,
      "torch.Size": .size,
      "torch.storage.UntypedStorage": .storage(nil),
      "torch.UntypedStorage": .storage(nil),
      "torch.nn.modules.container.ParameterDict": .parameters,
      "torch.nn.modules.container.ParameterList": .parameters,
    ]
    for (name, dtype) in storages {
      for module in ["torch", "torch.cuda", "torch.storage"] {
        known["\(module).\(name)Storage"] = .storage(dtype)
      }
    }
    for (name, dtype) in dtypes { known["torch.\(name)"] = .dtype(dtype) }
    for name in passedOver { known[name] = .opaque }
    return known
  }()

  private static let storages: [String: DType] = [
    "Double": .f64, "Float": .f32, "Half": .f16, "BFloat16": .bf16, "Long": .i64, "Int": .i32,
    "Short": .i16, "Char": .i8, "Byte": .u8, "Bool": .bool, "ComplexFloat": .c64,
  ]

  private static let dtypes: [String: DType] = [
    "float64": .f64, "float32": .f32, "float16": .f16, "bfloat16": .bf16, "int64": .i64,
    "int32": .i32, "int16": .i16, "int8": .i8, "uint8": .u8, "uint16": .u16, "uint32": .u32,
    "uint64": .u64, "bool": .bool, "complex64": .c64, "float8_e4m3fn": .f8e4m3,
    "float8_e5m2": .f8e5m2, "float8_e4m3fnuz": .f8e4m3fnuz, "float8_e5m2fnuz": .f8e5m2fnuz,
    "float8_e8m0fnu": .f8e8m0,
  ]

  /// What published checkpoints carry beside tensors: settings of a run, counters, paths. None of
  /// their values can hold a tensor that counts.
  private static let passedOver: Set<String> = {
    var names: Set<String> = [
      "_codecs.encode", "argparse.Namespace", "typing.Any", "torch.device", "torch.Tensor",
      "torch.nn.parameter.Parameter", "torch.serialization._get_layout", "datetime.datetime",
      "datetime.timedelta", "collections.Counter", "collections.deque",
      "pytorch_lightning.utilities.parsing.AttributeDict",
      "lightning_fabric.utilities.data.AttributeDict",
      "lightning.fabric.utilities.data.AttributeDict",
    ]
    for module in ["numpy.core.multiarray", "numpy._core.multiarray"] {
      names.formUnion(["\(module).scalar", "\(module)._reconstruct"])
    }
    names.formUnion(["numpy.dtype", "numpy.ndarray", "numpy.core.numeric._frombuffer"])
    names.formUnion(["numpy._core.numeric._frombuffer"])
    for module in ["__builtin__", "builtins"] {
      for type in [
        "set", "frozenset", "bytearray", "bytes", "complex", "slice", "range", "object", "int",
        "float", "str", "bool", "list", "dict", "tuple", "long", "unicode",
      ] { names.insert("\(module).\(type)") }
    }
    for type in ["PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path"] {
      names.formUnion(["pathlib.\(type)", "pathlib._local.\(type)"])
    }
    return names
  }()

  /// Packages of settings and callbacks, all of whose classes are passed over.
  private static let opaquePrefixes = [
    "omegaconf.", "pytorch_lightning.callbacks.", "lightning.pytorch.callbacks.", "numpy.dtypes.",
  ]
}
