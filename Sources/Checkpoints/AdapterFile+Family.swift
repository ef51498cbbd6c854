import Adapters
package import ModelFamilies
import Safetensors
import Tensors

extension AdapterFile {
  /// Its modules as far as they tell a family, for `ModelFamily.recognize`.
  package var namedModules: [NamedModule] { modules.map(\.named) }

  /// The family that it was made for, by its modules and its metadata, see `ModelFamily.recognize`.
  package func recognizeFamily() -> AdapterFamily {
    ModelFamily.recognize(adapterModules: namedModules, metadata: familyMetadata)
  }

  /// What its header and its PEFT configuration say, among which words on the model.
  package var familyMetadata: [String: String] {
    statedModel.merging(file.metadata) { $1 }
  }
}

extension AdapterModule {
  /// Its name and the extents of the weight that its factors show.
  package var named: NamedModule {
    NamedModule(name, inputs: inputWidth, outputs: algorithm.weightShape(of: shapes)?.rows)
  }
}
