import Autograd
import Tensors

/// What an optimizer keeps of one parameter: how often it was moved, and up to five numbers per element.
struct Slot {
  var step = 0
  var first: [Float] = []
  var second: [Float] = []
  var third: [Float] = []
  var fourth: [Float] = []
  var fifth: [Float] = []

  /// Their fields, in order.
  static var fields: [WritableKeyPath<Slot, [Float]>] {
    [\.first, \.second, \.third, \.fourth, \.fifth]
  }
}

/// The slots of all parameters, by name.
package struct Slots {
  /// What the numbers of a slot are called in a state, in the order of its fields.
  let names: [String]
  private var slots: [String: Slot] = [:]

  init(_ names: String...) {
    precondition(names.count <= Slot.fields.count, "fields of a slot")
    self.names = names
  }

  /// Changes the slots of parameters, each with its parameter, on several threads at a time.
  /// - Parameter counts: how many numbers each field of a parameter has; one for each element if not given
  /// - Returns: what `body` returns, in the order of the parameters
  @discardableResult
  mutating func change<Result>(
    _ parameters: [GradedParameter], counts: ((Parameter) -> [Int])? = nil,
    _ body: (inout Slot, GradedParameter) -> Result
  ) -> [Result] {
    // Out of the dictionary, which threads cannot share.
    var work = parameters.map { (slots.removeValue(forKey: $0.parameter.name), Result?.none) }
    ComputeThreads.change(&work) { work, index in
      let parameter = parameters[index].parameter
      var slot =
        work.0.take() ?? counts.map { new($0(parameter)) } ?? initial(parameter.value.count)
      work.1 = body(&slot, parameters[index])
      work.0 = slot
    }
    for (work, moved) in zip(work, parameters) { slots[moved.parameter.name] = work.0 }
    return work.compactMap(\.1)
  }

  /// nil before its first step.
  subscript(existing parameter: Parameter) -> Slot? { slots[parameter.name] }

  /// Zeros, so many in each field.
  func new(_ counts: [Int]) -> Slot {
    var slot = Slot()
    for (field, count) in zip(Slot.fields, counts) {
      slot[keyPath: field] = [Float](repeating: 0, count: count)
    }
    return slot
  }

  private func initial(_ count: Int) -> Slot {
    var slot = Slot()
    for field in Slot.fields.prefix(names.count) {
      slot[keyPath: field] = [Float](repeating: 0, count: count)
    }
    return slot
  }

  /// All of it, for a file.
  var tensors: [String: EncodedTensor] {
    var tensors: [String: EncodedTensor] = [:]
    for (parameter, slot) in slots {
      tensors["\(parameter).step"] = EncodedTensor(Tensor(scalar: Float(slot.step)), as: .f32)
      for (name, field) in zip(names, Slot.fields) {
        let values = slot[keyPath: field]
        tensors["\(parameter).\(name)"] = EncodedTensor(Tensor([values.count], values), as: .f32)
      }
    }
    return tensors
  }

  /// - Parameter counts: how many numbers a field has, other than one for each element
  /// - Throws: `OptimizerStateError` if tensors are missing, of another size, or of no parameter
  mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup],
    counts: (_ field: Int, _ parameter: Parameter) -> Int? = { _, _ in nil }
  ) throws(OptimizerStateError) {
    var (restored, known) = ([String: Slot](), Set<String>())
    for group in groups {
      for parameter in group.parameters where state.tensors["\(parameter.name).step"] != nil {
        let name = parameter.name
        var slot = Slot(
          step: try OptimizerState.count(
            Double(try state.elements("\(name).step", count: 1)[0]), "\(name).step"))
        known.insert("\(name).step")
        for (field, suffix) in names.enumerated() {
          let key = "\(name).\(suffix)"
          known.insert(key)
          let count = counts(field, parameter) ?? parameter.value.count
          let values = try state.elements(key, count: count)
          guard values.allSatisfy(\.isFinite) else {
            throw .value(key, expected: "finite numbers", found: "NaN or infinity")
          }
          slot[keyPath: Slot.fields[field]] = values
        }
        restored[name] = slot
      }
    }
    if let surplus = state.tensors.keys.filter({ !known.contains($0) }).min() {
      throw .surplus(surplus)
    }
    slots = restored
  }
}
