import Machine
import Pipelines
import Tensors

/// As ranks hand it to one another.
extension EncodedImage {
  func write(to message: inout Message) {
    plain.write(to: &message)
    message.append(optional: flipped) { $1.write(to: &$0) }
    message.append(optional: mask) { $1.write(to: &$0) }
  }

  init(reading reader: inout MessageReader) {
    plain = LatentDistribution(reading: &reader)
    flipped = reader.optional { LatentDistribution(reading: &$0) }
    mask = reader.optional { Tensor(reading: &$0) }
  }
}

extension LatentDistribution {
  fileprivate func write(to message: inout Message) {
    mean.write(to: &message)
    message.append(optional: logVariance) { $1.write(to: &$0) }
  }

  fileprivate init(reading reader: inout MessageReader) {
    self.init(
      mean: Tensor(reading: &reader), logVariance: reader.optional { Tensor(reading: &$0) })
  }
}
