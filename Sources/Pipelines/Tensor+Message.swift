package import Machine
package import Tensors

extension Tensor {
  /// Its shape and its numbers.
  package func write(to message: inout Message) {
    message.append(shape.dimensions)
    message.append(elements)
  }

  package init(reading reader: inout MessageReader) {
    self.init(Shape(reader.integers()), reader.floats())
  }
}
