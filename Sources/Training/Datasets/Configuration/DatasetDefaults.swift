package import SystemPackage

/// What the command line says of images and captions: the level below every configuration file.
package struct DatasetDefaults: Sendable {
  /// `--train_data_dir`
  package var trainFolder: FilePath?
  /// `--reg_data_dir`
  package var regularizationFolder: FilePath?
  /// `--in_json`
  package var metadataFile: FilePath?
  /// `--dataset_config`
  package var configuration: FilePath?
  /// Values of all flags that have keys.
  package var values = DatasetValues()
  /// `--prior_loss_weight`
  package var priorLossWeight: Float = 1

  package init() {}
}
