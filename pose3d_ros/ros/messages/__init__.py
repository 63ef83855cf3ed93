"""Messages of ROS from and to the data types of the package."""
