package import Machine
package import Tensors

extension Tensor {
  /// Its shape and its numbers.
  package func write(to message: inout Message) {
    message.append(shape.dimensions.count)
    for extent in shape.dimensions { message.append(extent) }
    message.append(elements)
  }

  package init(reading reader: inout MessageReader) {
    let shape = Shape((0..<reader.integer()).map { _ in reader.integer() })
    self.init(shape, reader.floats())
  }
}
