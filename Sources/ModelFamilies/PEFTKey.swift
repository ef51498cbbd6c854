/// Under what a PEFT configuration's words on the model stand among the metadata of an adapter.
package enum PEFTKey {
  /// `FluxTransformer2DModel`, of `auto_mapping`.
  package static let modelClass = "base_model_class"
  /// `black-forest-labs/FLUX.1-dev`
  package static let baseModel = "base_model_name_or_path"
}
