import Tensors

/// What a pickle's machine works on. Containers, tensors and storages are indices into its `Pickle`,
/// so that values are small, shared ones stay shared, and nothing can nest in memory.
enum PickleValue {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  /// Where it stands in the pickle.
  case text(start: UInt32, count: UInt32)
  case tuple(UInt32)
  case list(UInt32)
  case dict(UInt32)
  case storage(UInt32)
  case tensor(UInt32)
  /// A module whose state is a dict, of which the parameters matter.
  case module(UInt32)
  case global(PickleGlobal)
  /// A value that no state dict needs: bytes, sets, long integers, objects of known classes.
  case opaque

  var isTensor: Bool { if case .tensor = self { true } else { false } }
}

/// Everything a pickle made.
struct Pickle {
  /// A storage as a persistent identifier describes it.
  struct Storage: Equatable {
    let key: String
    /// nil: bytes, whose format the tensor knows.
    let dtype: DType?
    /// In elements of that format.
    let count: Int
  }

  /// A tensor as its rebuilding describes it; nothing is checked yet.
  struct Tensor {
    let storage: UInt32
    let dtype: DType?
    let layout: StridedLayout
    /// Whether it is stored otherwise than it is seen.
    let isLazy: Bool
  }

  var root = PickleValue.none
  /// Where the pickle ends, counted from its start.
  var end = 0
  /// The elements of tuples and lists.
  var sequences: [[PickleValue]] = []
  var dicts: [[(key: PickleValue, value: PickleValue)]] = []
  var storages: [Storage] = []
  var tensors: [Tensor] = []
  /// The states of modules.
  var modules: [PickleValue] = []
}
